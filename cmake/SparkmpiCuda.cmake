# The CUDA toolkit, where there is one and it is wanted: sets SPARKMPI_HAS_CUDA. The runtime is linked statically; libraries
# that need more than the driver (cuBLASLt, NCCL) are loaded at run time by the code that uses them.
set(SPARKMPI_HAS_CUDA OFF)
if(NOT SPARKMPI_CUDA STREQUAL "OFF" AND NOT CMAKE_CROSSCOMPILING)
  if(SPARKMPI_CUDA STREQUAL "ON")
    find_package(CUDAToolkit 12 REQUIRED)
  else()
    find_package(CUDAToolkit 12 QUIET)
  endif()
  if(CUDAToolkit_FOUND)
    find_path(SPARKMPI_CUBLASLT_INCLUDE cublasLt.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    if(SPARKMPI_CUBLASLT_INCLUDE)
      set(SPARKMPI_HAS_CUDA ON)
    elseif(SPARKMPI_CUDA STREQUAL "ON")
      message(FATAL_ERROR "cublasLt.h is missing from the CUDA toolkit: install its libcublas development package")
    else()
      message(STATUS "CUDA module: cublasLt.h is missing (the toolkit's libcublas development package)")
    endif()
  endif()
endif()

if(SPARKMPI_HAS_CUDA)
  if(NOT SPARKMPI_CUDA_ARCHITECTURES)
    # Ampere, Hopper, and where the toolkit knows them Blackwell (data centre; GB10 and RTX, whose code 12.1 runs as well).
    set(SPARKMPI_CUDA_ARCHITECTURES 80-real 90-real)
    if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
      list(APPEND SPARKMPI_CUDA_ARCHITECTURES 100-real 120)
    endif()
  endif()
  set(SPARKMPI_CUDA_ARCHITECTURES ${SPARKMPI_CUDA_ARCHITECTURES} CACHE STRING "GPU architectures, as CMAKE_CUDA_ARCHITECTURES")
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE} CACHE FILEPATH "CUDA compiler")
  set(CMAKE_CUDA_ARCHITECTURES ${SPARKMPI_CUDA_ARCHITECTURES})
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    # CMake 3.25 does not know that nvcc speaks C++20 from 12.0 on.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  message(STATUS "CUDA module: toolkit ${CUDAToolkit_VERSION}, architectures ${SPARKMPI_CUDA_ARCHITECTURES}")
else()
  message(STATUS "CUDA module: not built")
  # One of an earlier configuration would be loaded by a program that has moved on.
  file(REMOVE ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libsparkmpi_cuda.so)
endif()

# What the program and its CUDA module have to agree on: a digest of the headers that both are compiled with, as they are now. A module
# that was left from another build, or copied from one, is refused by it.
file(GLOB headers LIST_DIRECTORIES OFF ${CMAKE_SOURCE_DIR}/base/*.hpp ${CMAKE_SOURCE_DIR}/ledger/*.hpp ${CMAKE_SOURCE_DIR}/kernels/*.hpp
     ${CMAKE_SOURCE_DIR}/kernels/*/*.hpp)
list(SORT headers)
set(digests "")
foreach(header IN LISTS headers)
  file(SHA256 ${header} digest)
  string(APPEND digests ${digest})
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING ${digest} 0 8 digest)
set(SPARKMPI_CUDA_INTERFACE 0x${digest}U)

# sparkmpi_cuda_library(NAME SOURCES a.cu … DEPENDS lib …): one workload's GPU side as a static library `sparkmpi_NAME`, a part
# of the CUDA module. Call it only under SPARKMPI_HAS_CUDA.
function(sparkmpi_cuda_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(sparkmpi_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(sparkmpi_${name} PUBLIC sparkmpi_flags ${ARG_DEPENDS} CUDA::cudart_static)
  target_compile_options(sparkmpi_${name} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr --Werror=all-warnings -Xcompiler=-Wall,-Wextra>)
  set_property(GLOBAL APPEND PROPERTY SPARKMPI_CUDA_PARTS sparkmpi_${name})
endfunction()
