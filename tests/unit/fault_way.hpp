// In which way fault_plugin.cpp breaks the contract. Each library has one.
#pragma once

enum class Way {
  none,
  silent,
  twice,
  unknown_column,
  derived_column,
  constant,
  profile_twice,
  short_array,
  bad_code,
  no_time,
  half,
  far,
  late,
  no_nulls,
  no_json,
  throws,
  many,
  foreign_abi,
  // and takes its process along
  crash,
  abort,
  hang,
  leak,
  exit,
  lie,
  tired,
  score,
  slow,
  grow,
  prologue,
  create,
  refuse,
  load
};
extern const Way way;
