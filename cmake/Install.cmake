# find_package(oslo_messaging) and pkg-config for users: the library, its headers, and what they
# depend on.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

if(PROJECT_IS_TOP_LEVEL)
  set(OSLO_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/oslo_messaging)
  set(libraries oslo_messaging)
  if(OSLO_MESSAGING_SHARED)
    list(APPEND libraries oslo_messaging_shared)
  endif()
  install(
    TARGETS ${libraries}
    EXPORT oslo_messaging
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
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

  # What only a static link needs, as pkg-config writes it.
  set(OSLO_PC_PRIVATE -lssl -lcrypto -lz -lbz2)
  if(OSLO_MESSAGING_FIBER)
    list(APPEND OSLO_PC_PRIVATE -lboost_fiber -lboost_context)
  endif()
  if(OSLO_MESSAGING_KAFKA)
    list(APPEND OSLO_PC_PRIVATE -lrdkafka)
  endif()
  if(OSLO_MESSAGING_RE2)
    list(APPEND OSLO_PC_PRIVATE -lre2)
  endif()
  if(OSLO_MESSAGING_AMQP1)
    list(APPEND OSLO_PC_PRIVATE -lqpid-proton)
  endif()
  if(OSLO_MESSAGING_ZMQ)
    list(APPEND OSLO_PC_PRIVATE -lzmq -lhiredis)
  endif()
  if(OSLO_MESSAGING_YAML)
    list(APPEND OSLO_PC_PRIVATE -lyaml-cpp)
  endif()
  file(RELATIVE_PATH OSLO_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  list(JOIN OSLO_PC_PRIVATE " " OSLO_PC_PRIVATE)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/oslo_messaging.pc.in
                 ${PROJECT_BINARY_DIR}/oslo_messaging.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/oslo_messaging.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
