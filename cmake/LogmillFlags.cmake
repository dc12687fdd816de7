# One INTERFACE target with the flags of the house; every target of ours links it, and nothing is set directory-wide.
include(CheckCXXCompilerFlag)
add_library(logmill_flags INTERFACE)
target_compile_options(logmill_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  -fstack-protector-strong)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # The base of every x86-64 server since 2011; what pays beyond it is dispatched at run time.
  target_compile_options(logmill_flags INTERFACE -march=x86-64-v2 -mpclmul)
endif()

# For what waits for disks, networks and people: compiling it fast is worth more than its speed.
add_library(logmill_not_hot INTERFACE)
target_compile_options(logmill_not_hot INTERFACE $<IF:$<CONFIG:Release>,-O1,-O0>)

# For parsers: checks in what they inline take the compiler longer than all tests of their small samples take without optimisation.
add_library(logmill_parser_flags INTERFACE)

if(LOGMILL_SANITIZE)
  target_compile_options(logmill_parser_flags INTERFACE -O0)
  target_compile_options(logmill_flags INTERFACE -fsanitize=${LOGMILL_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(logmill_flags INTERFACE -fsanitize=${LOGMILL_SANITIZE})
  if(LOGMILL_SANITIZE MATCHES "undefined")
    target_compile_options(logmill_parser_flags INTERFACE -fsanitize=null)
    # Not vptr: TBB's flow graph casts a task before its constructor has run, and types of plugins have their own typeinfo in each library.
    # Nor, where code is optimised, null and object-size: those are AddressSanitizer's, and a check before each access to a member is a quarter of the compiler's time.
    target_compile_options(logmill_flags INTERFACE -fno-sanitize-recover=undefined -fno-sanitize=vptr,null,object-size)
  endif()
endif()
if(LOGMILL_FUZZ)
  # Coverage for libFuzzer in every target of ours that a fuzz target may link; the fuzz targets alone link its main.
  target_compile_options(logmill_flags INTERFACE $<$<NOT:$<BOOL:$<TARGET_PROPERTY:LOGMILL_NOT_FUZZED>>>:-fsanitize=fuzzer-no-link>)
endif()
