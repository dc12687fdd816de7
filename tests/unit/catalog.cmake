logmill_test(catalog_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/catalog_test.cpp LIBRARIES logmill_catalog logmill_core)
