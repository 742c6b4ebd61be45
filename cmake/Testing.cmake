# oslo_test(NAME COMMAND program [args...] [LABELS label...] [BUS bus] [PEER version]
#           [TIMEOUT seconds] [COST seconds] [SERIAL]): one ctest entry.
#
# BUS none, fake, rabbitmq, kafka, qpid or artemis. rabbitmq: the test gets the broker that the whole
# run shares, through the variables of tests/support/broker.py, and the label `broker`; the last three
# likewise, by kafka_broker.py and so on. SERIAL: nothing else runs beside it (tests that restart the
# broker, or measure). COST: about how long it takes, for those that should not begin last: ctest knows
# nothing of times before it has run once. Cases are counted from the report that each program leaves.
find_program(OSLO_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
set(OSLO_BROKER_CONTROL ${OSLO_PYTHON} ${PROJECT_SOURCE_DIR}/tests/support/broker.py)
set(OSLO_BROKER_DIR ${PROJECT_BINARY_DIR}/broker)
set(OSLO_KAFKA_CONTROL ${OSLO_PYTHON} ${PROJECT_SOURCE_DIR}/tests/support/kafka_broker.py)
set(OSLO_KAFKA_DIR ${PROJECT_BINARY_DIR}/broker-kafka)
set(OSLO_SHARDED ${OSLO_PYTHON} ${PROJECT_SOURCE_DIR}/tests/support/sharded.py)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/reports)

function(oslo_test name)
  cmake_parse_arguments(ARG "SERIAL" "BUS;PEER;TIMEOUT;COST" "COMMAND;LABELS" ${ARGN})
  if(ARG_BUS MATCHES "^(qpid|artemis)$" AND NOT OSLO_MESSAGING_MORE_BROKERS)
    return()
  endif()
  if(NOT ARG_BUS)
    set(ARG_BUS none)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set(labels ${ARG_LABELS} bus_${ARG_BUS})
  if(ARG_PEER)
    list(APPEND labels peer_${ARG_PEER})
  endif()
  list(POP_FRONT ARG_COMMAND program)
  if(TARGET ${program})
    set(program $<TARGET_FILE:${program}>)
  endif()
  if(ARG_BUS STREQUAL "rabbitmq")
    list(APPEND labels broker)
    set(launcher ${OSLO_BROKER_CONTROL} exec --dir ${OSLO_BROKER_DIR} --)
  elseif(ARG_BUS STREQUAL "kafka")
    list(APPEND labels broker)
    set(launcher ${OSLO_KAFKA_CONTROL} exec --dir ${OSLO_KAFKA_DIR} --)
  elseif(ARG_BUS MATCHES "^(qpid|artemis)$")
    list(APPEND labels broker)
    set(launcher ${OSLO_PYTHON} ${PROJECT_SOURCE_DIR}/tests/support/${ARG_BUS}_broker.py exec --dir
                 ${PROJECT_BINARY_DIR}/${ARG_BUS} --)
  endif()
  add_test(NAME ${name} COMMAND ${launcher} ${program} ${ARG_COMMAND})
  set(report ${PROJECT_BINARY_DIR}/reports/${name}.xml)
  set_tests_properties(
    ${name} PROPERTIES
    LABELS "${labels}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "GTEST_OUTPUT=xml:${report};OSLO_TEST_REPORT=${report};GTEST_BRIEF=1")
  if(ARG_BUS MATCHES "^(rabbitmq|kafka|qpid|artemis)$")
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED ${ARG_BUS})
  endif()
  if(ARG_BUS MATCHES "^(kafka|qpid|artemis)$") # as their scripts say where there is none
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
  endif()
  if(OSLO_SANITIZE MATCHES "thread")
    set_tests_properties(
      ${name} PROPERTIES
      ENVIRONMENT_MODIFICATION
      "TSAN_OPTIONS=string_append: suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp")
  endif()
  if(ARG_COST)
    set_tests_properties(${name} PROPERTIES COST ${ARG_COST})
  endif()
  if(ARG_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
