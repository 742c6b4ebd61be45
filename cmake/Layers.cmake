# oslo_layer(NAME [DEPENDS lower...] [LINK library...] [PRIVATE_LINK library...] [DEFINE name...]
#            [ASIO] [ABSENT]): one object library from src/NAME. Its sources include their own layer
# and lower ones as "layer/file.hpp"; tests/support/check_layers.py holds them to DEPENDS. ABSENT:
# the library that it is about is left out, and its absent.cpp says so to whoever calls it.
set(OSLO_INCLUDE_DIR ${PROJECT_SOURCE_DIR}/include)

function(oslo_layer name)
  cmake_parse_arguments(ARG "ASIO;ABSENT" "" "DEPENDS;LINK;PRIVATE_LINK;DEFINE" ${ARGN})
  if(name STREQUAL "drivers") # below it each driver has a CMakeLists.txt of its own
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  else()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  endif()
  if(ARG_ABSENT)
    set(sources ${PROJECT_SOURCE_DIR}/src/${name}/absent.cpp)
  else()
    list(FILTER sources EXCLUDE REGEX "/absent\\.cpp$")
  endif()
  oslo_objects(oslo_${name} ${sources})
endfunction()

# oslo_driver(NAME [LINK library...] [PRIVATE_LINK library...]): the same from the driver's folder.
function(oslo_driver name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE_LINK" ${ARGN})
  set(ARG_ASIO ON)
  set(ARG_DEFINE)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  oslo_objects(oslo_driver_${name} ${sources})
endfunction()

# Uses the arguments of its caller.
function(oslo_objects target)
  add_library(${target} OBJECT ${ARGN})
  target_include_directories(
    ${target} PUBLIC $<BUILD_INTERFACE:${OSLO_INCLUDE_DIR}> PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC Boost::json Threads::Threads ${ARG_LINK}
                                  PRIVATE ${ARG_PRIVATE_LINK} oslo_warnings)
  target_compile_definitions(${target} PUBLIC BOOST_ASIO_NO_DEPRECATED PRIVATE ${ARG_DEFINE})
  # What public headers declare is visible; they say so with a pragma.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON
                                             CXX_VISIBILITY_PRESET hidden)
  if(ARG_ASIO)
    oslo_precompiled(${target} pch_asio)
  else()
    oslo_precompiled(${target} pch_std)
  endif()
  set_property(GLOBAL APPEND PROPERTY OSLO_OBJECTS ${target})
  set_property(GLOBAL APPEND PROPERTY OSLO_LINK ${ARG_LINK})
  set_property(GLOBAL APPEND PROPERTY OSLO_PRIVATE_LINK ${ARG_PRIVATE_LINK})
endfunction()

# oslo_precompiled(TARGET HEADER): the first one that needs a header compiles it for all others. Each
# would take some 200 MB of disk and ten seconds.
function(oslo_precompiled target header)
  get_property(first GLOBAL PROPERTY OSLO_${header})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/${header}.hpp)
    set_property(GLOBAL PROPERTY OSLO_${header} ${target})
  endif()
endfunction()

# oslo_default_drivers(): OSLO_DRIVERS, but for those that an option leaves out. Each is
# src/drivers/NAME with a CMakeLists.txt and a function
# `oslo::messaging::NAME::add_to(driver_registry&)`.
function(oslo_default_drivers)
  set(declarations "")
  set(calls "")
  foreach(name IN LISTS OSLO_DRIVERS)
    string(TOUPPER ${name} upper)
    if(OSLO_MESSAGING_${upper})
      add_subdirectory(${PROJECT_SOURCE_DIR}/src/drivers/${name} ${PROJECT_BINARY_DIR}/drivers/${name})
      string(APPEND declarations "namespace ${name} {\nvoid add_to(driver_registry& r);\n}\n")
      string(APPEND calls "    ${name}::add_to(r);\n")
    endif()
  endforeach()
  configure_file(${PROJECT_SOURCE_DIR}/cmake/default_drivers.cpp.in
                 ${PROJECT_BINARY_DIR}/generated/default_drivers.cpp @ONLY)
  target_sources(oslo_drivers PRIVATE ${PROJECT_BINARY_DIR}/generated/default_drivers.cpp)
endfunction()

# oslo_library(): the one library users link, of all layers and drivers: oslo::messaging.
# Static in this tree; whoever finds an installed package gets the shared one when it is there.
function(oslo_library)
  oslo_library_of_kind(oslo_messaging STATIC messaging_static)
  add_library(oslo::messaging ALIAS oslo_messaging)
  # The file set installs the headers, and compiles each of them alone on demand (target
  # all_verify_interface_header_sets).
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${OSLO_INCLUDE_DIR}/*.hpp)
  target_sources(oslo_messaging PUBLIC FILE_SET HEADERS BASE_DIRS ${OSLO_INCLUDE_DIR} FILES ${headers})
  set_target_properties(oslo_messaging PROPERTIES VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
  # Whether they compile is all that is asked of that target.
  set(asks $<STREQUAL:$<TARGET_PROPERTY:NAME>,oslo_messaging_verify_interface_header_sets>)
  target_compile_options(oslo_messaging INTERFACE $<BUILD_INTERFACE:$<${asks}:-g0>>)
  if(OSLO_MESSAGING_SHARED)
    oslo_library_of_kind(oslo_messaging_shared SHARED messaging_shared)
    set(script ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    target_link_options(oslo_messaging_shared PRIVATE -Wl,--version-script=${script} -Wl,--as-needed)
    set_target_properties(
      oslo_messaging_shared PROPERTIES LINK_DEPENDS ${script} VERSION ${PROJECT_VERSION}
                                       SOVERSION ${OSLO_MESSAGING_ABI})
    target_include_directories(oslo_messaging_shared INTERFACE $<INSTALL_INTERFACE:include>
                               $<BUILD_INTERFACE:${OSLO_INCLUDE_DIR}>)
  endif()
endfunction()

function(oslo_library_of_kind target kind export_name)
  get_property(objects GLOBAL PROPERTY OSLO_OBJECTS)
  get_property(link GLOBAL PROPERTY OSLO_LINK)
  get_property(private_link GLOBAL PROPERTY OSLO_PRIVATE_LINK)
  list(APPEND private_link ${link})
  list(REMOVE_DUPLICATES private_link)
  add_library(${target} ${kind})
  foreach(part IN LISTS objects)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${part}>)
  endforeach()
  target_link_libraries(${target} PUBLIC Boost::json Threads::Threads PRIVATE ${private_link})
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX OUTPUT_NAME oslo_messaging
                                             EXPORT_NAME ${export_name})
endfunction()
