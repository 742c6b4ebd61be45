# What is built. A part that is left out needs nothing and says so where it is used.

# The drivers that open_transport knows: each a folder of src/drivers.
set(OSLO_DRIVERS inproc rabbit amqp1 kafka)
foreach(driver IN LISTS OSLO_DRIVERS)
  string(TOUPPER ${driver} upper)
  option(OSLO_MESSAGING_${upper} "The driver ${driver}" ON)
endforeach()
# Not complete: not a part of the library, and of its tests, unless it is asked for.
option(OSLO_MESSAGING_ZMQ "The driver zmq, which is not complete" OFF)
if(OSLO_MESSAGING_ZMQ)
  list(APPEND OSLO_DRIVERS zmq)
endif()
option(OSLO_MESSAGING_FIBER "Fibers as an executor (Boost.Fiber)" ON)
option(OSLO_MESSAGING_RE2 "Filters of notifications (RE2)" ON)
option(OSLO_MESSAGING_YAML "The notification driver \"routing\" (yaml-cpp)" ON)
option(OSLO_MESSAGING_SPDLOG "Log records as notifications (spdlog)" ON)
option(OSLO_MESSAGING_HTTPLIB "HTTP requests as notifications (cpp-httplib)" ON)
option(OSLO_MESSAGING_SHARED "The shared library, beside the static one" ${PROJECT_IS_TOP_LEVEL})
option(OSLO_MESSAGING_TOOLS "oslo-msg" ${PROJECT_IS_TOP_LEVEL})
option(OSLO_MESSAGING_TOOLS_SHARED "oslo-msg uses the shared library" OFF)
option(OSLO_MESSAGING_EXAMPLES "The examples" ${PROJECT_IS_TOP_LEVEL})
option(OSLO_MESSAGING_TESTS "The tests, with tools and examples" ${PROJECT_IS_TOP_LEVEL})
option(OSLO_MESSAGING_MORE_BROKERS "Tests over Broker-J and Artemis, and of a Kafka that is broken" OFF)
option(OSLO_MESSAGING_BENCH "The benchmark peers" OFF)
option(OSLO_FUZZ "The libFuzzer targets (clang)" OFF)
set(OSLO_SANITIZE "" CACHE STRING "Value for -fsanitize=, e.g. address,undefined")

if(OSLO_MESSAGING_TESTS AND NOT OSLO_FUZZ) # they test all of it
  string(TOUPPER "${OSLO_DRIVERS}" parts)
  foreach(part IN ITEMS ${parts} FIBER RE2 YAML SPDLOG HTTPLIB TOOLS EXAMPLES)
    if(NOT OSLO_MESSAGING_${part})
      message(FATAL_ERROR "The tests are about the whole library: OSLO_MESSAGING_${part}=OFF goes "
                          "with OSLO_MESSAGING_TESTS=OFF.")
    endif()
  endforeach()
endif()
