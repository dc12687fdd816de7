logmill_test(unwrap_test SOURCES unit/unwrap_test.cpp LIBRARIES logmill_unwrap)
