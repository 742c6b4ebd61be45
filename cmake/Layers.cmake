# oslo_layer(NAME [DEPENDS lower...]): one object library from src/NAME. Its sources include their
# own layer and lower ones as "layer/file.hpp"; tests/support/check_layers.py holds them to DEPENDS.
set(OSLO_INCLUDE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/include)

function(oslo_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(oslo_${name} OBJECT ${sources})
  target_include_directories(
    oslo_${name} PUBLIC $<BUILD_INTERFACE:${OSLO_INCLUDE_DIR}>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(oslo_${name} PUBLIC Boost::json Threads::Threads PRIVATE oslo_warnings)
  target_compile_definitions(oslo_${name} PUBLIC BOOST_ASIO_NO_DEPRECATED)
  set_target_properties(oslo_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL APPEND PROPERTY OSLO_LAYER_DEPENDS "${name}: ${ARG_DEPENDS}")
  if(name STREQUAL "net" OR name STREQUAL "drivers")
    target_link_libraries(oslo_${name} PUBLIC OpenSSL::SSL)
  endif()
  if(name STREQUAL "wire")
    target_link_libraries(oslo_${name} PRIVATE ZLIB::ZLIB BZip2::BZip2)
  endif()
  if(name STREQUAL "notify" AND yaml-cpp_FOUND)
    target_link_libraries(oslo_${name} PRIVATE yaml-cpp)
    target_compile_definitions(oslo_${name} PRIVATE OSLO_HAS_YAML)
  endif()
  if(name STREQUAL "fibers")
    target_link_libraries(oslo_${name} PUBLIC Boost::fiber)
  endif()
  if(name MATCHES "^(net|drivers|serve|rpc|notify|blocking|testing)$")
    target_precompile_headers(oslo_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cmake/pch_asio.hpp)
  else()
    target_precompile_headers(oslo_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cmake/pch_std.hpp)
  endif()
endfunction()

# oslo_library(layers...): the one library users link, oslo::messaging.
function(oslo_library)
  add_library(oslo_messaging STATIC)
  foreach(layer IN LISTS ARGN)
    if(TARGET oslo_${layer})
      target_sources(oslo_messaging PRIVATE $<TARGET_OBJECTS:oslo_${layer}>)
    endif()
  endforeach()
  # The file set installs the headers, and compiles each of them alone on demand (target
  # all_verify_interface_header_sets).
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${OSLO_INCLUDE_DIR}/*.hpp)
  target_sources(oslo_messaging PUBLIC FILE_SET HEADERS BASE_DIRS ${OSLO_INCLUDE_DIR} FILES ${headers})
  target_link_libraries(oslo_messaging PUBLIC Boost::json Boost::fiber OpenSSL::SSL
                                              Threads::Threads re2)
  target_link_libraries(oslo_messaging PRIVATE ZLIB::ZLIB BZip2::BZip2)
  if(yaml-cpp_FOUND)
    target_link_libraries(oslo_messaging PRIVATE yaml-cpp)
  endif()
  target_compile_features(oslo_messaging PUBLIC cxx_std_20)
  set_target_properties(
    oslo_messaging PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME messaging
                              VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
  add_library(oslo::messaging ALIAS oslo_messaging)
endfunction()
