// Nothing of its own: plugins/CMakeLists.txt precompiles the SDK's header with it, for all parsers.
