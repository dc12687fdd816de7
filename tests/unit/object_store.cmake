logmill_test(object_store_test SOURCES unit/object_store_test.cpp unit/azure_test.cpp unit/curl_test.cpp LIBRARIES logmill_object_store logmill_source)
# Driven by tests/integration, where there is a server.
add_executable(source_resume integration/source_resume.cpp)
target_link_libraries(source_resume PRIVATE logmill_source logmill_flags)
