# find_package(oslo_messaging) for users: the library, its headers, and what they depend on.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

if(PROJECT_IS_TOP_LEVEL)
  set(OSLO_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/oslo_messaging)
  install(
    TARGETS oslo_messaging
    EXPORT oslo_messaging
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT oslo_messaging NAMESPACE oslo:: FILE oslo_messagingTargets.cmake
          DESTINATION ${OSLO_CMAKE_DIR})
  configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/Config.cmake.in ${PROJECT_BINARY_DIR}/oslo_messagingConfig.cmake
    INSTALL_DESTINATION ${OSLO_CMAKE_DIR})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/oslo_messagingConfigVersion.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/oslo_messagingConfig.cmake
                ${PROJECT_BINARY_DIR}/oslo_messagingConfigVersion.cmake
          DESTINATION ${OSLO_CMAKE_DIR})
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
