#include "fault_way.hpp"

const Way way = Way::FAULT;
