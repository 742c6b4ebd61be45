// Boost.JSON, so that the module needs no library of Boost's.
#include <boost/json/src.hpp>
