# Libraries that misbehave on purpose, each in one way; the host must say which and why, and lose nothing.
foreach(fault none silent twice unknown_column derived_column short_array bad_code no_time throws foreign_abi
              crash abort hang leak exit lie tired score prologue create load)
  string(TOUPPER ${fault} define)
  add_library(fault_${fault} MODULE ${CMAKE_CURRENT_LIST_DIR}/fault_plugin.cpp)
  target_compile_definitions(fault_${fault} PRIVATE FAULT_${define})
  target_compile_options(fault_${fault} PRIVATE -O0)
  target_link_libraries(fault_${fault} PRIVATE logmill::sdk logmill_flags)
  # Hidden as in logmill_add_plugin: what is shared by name among libraries would make them all behave as the first.
  set_target_properties(fault_${fault} PROPERTIES
    PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/faults/${fault} CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  list(APPEND fault_plugins fault_${fault})
endforeach()
add_library(count_sink MODULE ${CMAKE_CURRENT_LIST_DIR}/count_sink.cpp)
target_include_directories(count_sink PRIVATE ${PROJECT_SOURCE_DIR}/sinks)
target_link_libraries(count_sink PRIVATE logmill::sdk logmill_expected logmill_flags)
set_target_properties(count_sink PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/faults/sink)
logmill_test(pipeline_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/pipeline_test.cpp LIBRARIES logmill::core PkgConfig::ZLIB LABELS pipeline)
if(TARGET pipeline_test)
  target_compile_definitions(pipeline_test PRIVATE FAULTS="${CMAKE_BINARY_DIR}/tests/faults")
  add_dependencies(pipeline_test ${fault_plugins} count_sink logmill-worker)
endif()
logmill_test(core_units_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/core_units_test.cpp LIBRARIES logmill_pipeline TBB::tbb spdlog::spdlog simdjson::simdjson)
