# What every target of the tree shares: warnings as errors, include paths from the repository's root.
add_library(sparkmpi_flags INTERFACE)
target_include_directories(sparkmpi_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(sparkmpi_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Werror>)

# sparkmpi_library(NAME SOURCES a.cpp … DEPENDS lib …): one room of the house as a static library `sparkmpi_NAME`.
function(sparkmpi_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(sparkmpi_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(sparkmpi_${name} PUBLIC sparkmpi_flags ${ARG_DEPENDS})
endfunction()

# sparkmpi_test(NAME SOURCES a.cpp … DEPENDS lib … [ENVIRONMENT NAME=VALUE…]): a GoogleTest program `test_NAME`, run by ctest one case at a
# time.
function(sparkmpi_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;ENVIRONMENT" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS} GTest::gtest_main GTest::gmock)
  target_compile_definitions(test_${name} PRIVATE SPARKMPI_FIXTURES="${CMAKE_SOURCE_DIR}/tests/fixtures")
  gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()
