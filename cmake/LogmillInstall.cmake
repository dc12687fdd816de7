# The package that find_package(logmill CONFIG) finds. Each folder installs its own programs, libraries and headers; here is what binds them.
# sdk and core are exported apart, so that the author of a plugin needs nothing of what core stands on.
include(CMakePackageConfigHelpers)
set(LOGMILL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/logmill)

install(TARGETS logmill_sdk EXPORT logmillSdkTargets)
install(EXPORT logmillSdkTargets NAMESPACE logmill:: DESTINATION ${LOGMILL_PACKAGE_DIR} COMPONENT sdk)
install(EXPORT logmillTargets FILE logmillCoreTargets.cmake NAMESPACE logmill:: DESTINATION ${LOGMILL_PACKAGE_DIR} COMPONENT sdk)

configure_package_config_file(cmake/logmillConfig.cmake.in ${CMAKE_BINARY_DIR}/generated/logmillConfig.cmake
  INSTALL_DESTINATION ${LOGMILL_PACKAGE_DIR} PATH_VARS CMAKE_INSTALL_BINDIR)
# Before 1.0 a minor version may change core; plugins are compatible by the ABI's own major, which the host checks.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/logmillConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${CMAKE_BINARY_DIR}/generated/logmillConfig.cmake ${CMAKE_BINARY_DIR}/generated/logmillConfigVersion.cmake
        cmake/LogmillPlugin.cmake cmake/plugin.map
  DESTINATION ${LOGMILL_PACKAGE_DIR} COMPONENT sdk)
