logmill_test(parquet_encode_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/parquet_encode_test.cpp LIBRARIES logmill_parquet_writer)
logmill_test(parquet_levels_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/parquet_levels_test.cpp LIBRARIES logmill_parquet_writer)
logmill_test(parquet_sink_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/parquet_sink_test.cpp LIBRARIES logmill_parquet_writer)
# Writes files for tests/integration/parquet_readback.py.
add_executable(parquet_samples ${CMAKE_CURRENT_LIST_DIR}/../integration/parquet_samples.cpp)
target_link_libraries(parquet_samples PRIVATE logmill::sdk logmill_flags Threads::Threads ${CMAKE_DL_LIBS})
