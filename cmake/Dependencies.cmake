# Everything the library and its tests link.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS fiber json)
find_package(OpenSSL 3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(BZip2 REQUIRED)
find_library(OSLO_RE2 re2 REQUIRED) # Debian's RE2 has no CMake package
# Only the notification driver "routing" reads YAML; without it that driver refuses its file.
if(PROJECT_IS_TOP_LEVEL)
  find_package(yaml-cpp REQUIRED)
else()
  find_package(yaml-cpp QUIET)
endif()
find_program(CCACHE ccache)
if(CCACHE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
