logmill_bench(parquet_bench SOURCES ${CMAKE_CURRENT_LIST_DIR}/parquet_bench.cpp LIBRARIES logmill_parquet_writer TBB::tbb)
