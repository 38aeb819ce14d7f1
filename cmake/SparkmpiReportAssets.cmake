# The report's page: the chart library d3 from Debian's package node-d3 (or D3_JS and D3_LICENCE), and the page's own files.
find_file(D3_JS d3.min.js PATHS /usr/share/nodejs/d3/dist /usr/share/javascript/d3 NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH REQUIRED
          DOC "d3, minified; version 5 or newer (Debian: node-d3)")
find_file(D3_LICENCE copyright PATHS /usr/share/doc/node-d3 /usr/share/doc/libjs-d3 NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH REQUIRED
          DOC "the licence text of d3, kept in every report")

# sparkmpi_embed(VARIABLE FILE …): the files' text, one after the other; configures again when one changes.
function(sparkmpi_embed variable)
  set(all "")
  foreach(file ${ARGN})
    file(READ ${file} text)
    string(APPEND all "${text}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  set(${variable} "${all}" PARENT_SCOPE)
endfunction()

set(assets ${CMAKE_CURRENT_SOURCE_DIR}/report/assets)
sparkmpi_embed(report_page ${assets}/page.html)
sparkmpi_embed(report_style ${assets}/style.css)
sparkmpi_embed(report_script ${assets}/page.js ${assets}/figure.js ${assets}/charts.js ${assets}/matrices.js ${assets}/sections.js)
sparkmpi_embed(report_library ${D3_JS})
sparkmpi_embed(report_licence ${D3_LICENCE})
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/report/assets.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/report_assets.cpp @ONLY)
