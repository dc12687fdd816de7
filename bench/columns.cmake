# Parsers for bench/growth, in a folder of their own: no source of logmill's, so not made by logmill_add_plugin, which installs.
add_library(columns_plugin MODULE columns_plugin.cpp)
set_target_properties(columns_plugin PROPERTIES
  PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/columns)
target_link_libraries(columns_plugin PRIVATE logmill::sdk logmill_flags)
target_link_options(columns_plugin PRIVATE -Wl,--version-script=${LOGMILL_VERSION_SCRIPT} -Wl,-z,defs)
