logmill_test(catalogue_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/catalogue_test.cpp LIBRARIES logmill::sdk)

# The committed text is what the schema gives; only where the schema is at hand.
set(ocsf_schema ${PROJECT_SOURCE_DIR}/../shared/ocsf/ocsf-1.8.0.json)
if(EXISTS ${ocsf_schema})
  add_test(NAME catalogue_text_is_what_the_schema_gives
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/sdk/ocsf/compile.py ${ocsf_schema} --check ${PROJECT_SOURCE_DIR}/sdk/ocsf/ocsf-1.8.0.txt)
endif()
