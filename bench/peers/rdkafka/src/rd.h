/* What rdkafka_performance.c, an example of librdkafka, takes from the private headers of that library. */
#pragma once
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RD_UNUSED __attribute__((unused))
#define RD_FORMAT(...)
#define rd_snprintf snprintf
#define RD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RD_MAX(a, b) ((a) > (b) ? (a) : (b))
