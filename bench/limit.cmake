add_executable(limit limit.cpp)
target_link_libraries(limit PRIVATE logmill_flags PkgConfig::ISAL simdjson::simdjson Threads::Threads)
