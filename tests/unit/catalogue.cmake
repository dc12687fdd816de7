logmill_test(catalogue_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/catalogue_test.cpp LIBRARIES logmill::sdk)

# The committed texts are what the schemas give; only where those are at hand.
foreach(version 1.8.0 1.3.0 1.1.0)
  set(ocsf_schema ${PROJECT_SOURCE_DIR}/../shared/ocsf/ocsf-${version}.json)
  if(EXISTS ${ocsf_schema})
    add_test(NAME catalogue_text_${version}_is_what_the_schema_gives
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/sdk/ocsf/compile.py ${ocsf_schema} --check ${PROJECT_SOURCE_DIR}/sdk/ocsf/ocsf-${version}.txt)
  endif()
endforeach()
