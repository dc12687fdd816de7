logmill_test(cli_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_test.cpp LIBRARIES logmill_cli simdjson::simdjson fmt::fmt)
