# Warnings are errors for our own code, never for a project that includes us.
add_library(oslo_warnings INTERFACE)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(
    oslo_warnings
    INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion
              -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
              -Werror>)
  # GCC 12 reports uninitialised and dangling storage inside std::variant, std::string and coroutine
  # frames when sanitizers or -O2 reorder their code.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(
      oslo_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wshadow=local -Wno-maybe-uninitialized
                              -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-missing-field-initializers>)
    if(CMAKE_UNITY_BUILD) # sources that are included are no headers
      target_compile_options(oslo_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
    endif()
  else()
    target_compile_options(oslo_warnings
                           INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
  endif()
endif()
