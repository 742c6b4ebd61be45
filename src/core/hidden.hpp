// For a class that a public header only declares: the shared library does not show its members.
#pragma once

#define OSLO_HIDDEN [[gnu::visibility("hidden")]]
