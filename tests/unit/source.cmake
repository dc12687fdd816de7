logmill_test(source_test SOURCES unit/source_test.cpp LIBRARIES logmill_source)
