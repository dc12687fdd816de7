logmill_test(storage_test SOURCES unit/storage_test.cpp LIBRARIES logmill_storage LABELS pipeline)
