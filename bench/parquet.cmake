logmill_bench(parquet_bench SOURCES ${CMAKE_CURRENT_LIST_DIR}/parquet_bench.cpp LIBRARIES logmill_parquet_writer)
target_include_directories(parquet_bench PRIVATE ${CMAKE_CURRENT_LIST_DIR}/../tests/unit)
