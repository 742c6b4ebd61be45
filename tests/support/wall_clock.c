/* Preloaded into a program under test: moves its wall clock, and only that, by the milliseconds in
 * the file that OSLO_TEST_WALL_CLOCK names. The file may change at any time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int (*clock_function)(clockid_t, struct timespec*);

static long long offset_ms(void) {
  const char* name = getenv("OSLO_TEST_WALL_CLOCK");
  long long ms = 0;
  FILE* file = name ? fopen(name, "r") : NULL;
  if (!file) return 0;
  if (fscanf(file, "%lld", &ms) != 1) ms = 0;
  fclose(file);
  return ms;
}

int clock_gettime(clockid_t which, struct timespec* now) {
  clock_function real = (clock_function)dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(which, now);
  if (status == 0 && which == CLOCK_REALTIME) now->tv_sec += offset_ms() / 1000;
  return status;
}
