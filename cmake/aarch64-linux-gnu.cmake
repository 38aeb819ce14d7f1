# Cross-compiling for 64-bit Arm on Debian or Ubuntu x86-64, against the sysroot that setup/cross-aarch64.sh makes.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(SPARKMPI_SYSROOT $ENV{SPARKMPI_SYSROOT} CACHE PATH "Root of an arm64 Debian or Ubuntu with the build packages")
# No CMAKE_SYSROOT: Debian's cross compiler has its own C library, and the sysroot only adds the packages on top.
set(CMAKE_FIND_ROOT_PATH ${SPARKMPI_SYSROOT} ${SPARKMPI_SYSROOT}/usr)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${SPARKMPI_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${SPARKMPI_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${SPARKMPI_SYSROOT}/usr/share/pkgconfig)
# Headers that Debian puts beside the multiarch triplet (hwloc's), after the cross compiler's own.
foreach(language C CXX)
  set(CMAKE_${language}_FLAGS_INIT "-idirafter ${SPARKMPI_SYSROOT}/usr/include/aarch64-linux-gnu")
endforeach()
# by-name holds the libraries that are linked by name alone; the whole folder would bring another C library.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${SPARKMPI_SYSROOT}/by-name -Wl,-rpath-link,${SPARKMPI_SYSROOT}/usr/lib/aarch64-linux-gnu -Wl,-rpath-link,${SPARKMPI_SYSROOT}/lib/aarch64-linux-gnu")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -cpu max -L ${SPARKMPI_SYSROOT})
