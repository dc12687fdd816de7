logmill_bench(sdk_bench SOURCES sdk_bench.cpp LIBRARIES logmill::sdk)
target_include_directories(sdk_bench PRIVATE ${CMAKE_CURRENT_LIST_DIR})
