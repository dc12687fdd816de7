add_executable(parquet_samples ${CMAKE_CURRENT_LIST_DIR}/../integration/parquet_samples.cpp)
target_link_libraries(parquet_samples PRIVATE logmill::sdk logmill_flags Threads::Threads ${CMAKE_DL_LIBS})
