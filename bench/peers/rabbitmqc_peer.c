#define _GNU_SOURCE
#include "rabbitmqc_peer.h"

#include <amqp_tcp_socket.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void peer_die(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

static void check(int status, const char* what) {
  if (status < 0) peer_die("%s: %s", what, amqp_error_string2(status));
}

static void check_reply(peer* p, const char* what) {
  amqp_rpc_reply_t r = amqp_get_rpc_reply(p->conn);
  if (r.reply_type == AMQP_RESPONSE_NORMAL) return;
  if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
    peer_die("%s: %s", what, amqp_error_string2(r.library_error));
  peer_die("%s: the broker refused (%s)", what, amqp_method_name(r.reply.id));
}

void peer_open(peer* p, const char* url, ack_mode acks) {
  memset(p, 0, sizeof *p);
  p->acks = acks;
  char* text = strdup(url);
  struct amqp_connection_info info;
  check(amqp_parse_url(text, &info), "URL");
  p->conn = amqp_new_connection();
  amqp_socket_t* socket = amqp_tcp_socket_new(p->conn);
  if (!socket) peer_die("out of memory");
  check(amqp_socket_open(socket, info.host, info.port), "connect");
  amqp_rpc_reply_t r = amqp_login(p->conn, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN,
                                  info.user, info.password);
  if (r.reply_type != AMQP_RESPONSE_NORMAL) peer_die("login failed");
  free(text);
  amqp_channel_open(p->conn, peer_channel);
  check_reply(p, "channel.open");
  amqp_confirm_select(p->conn, peer_channel);
  check_reply(p, "confirm.select");
}

void peer_close(peer* p) {
  if (p->unacked_tag != 0) {
    check(amqp_basic_ack(p->conn, peer_channel, p->unacked_tag, 1), "basic.ack");
    p->unacked_tag = 0;
  }
  amqp_channel_close(p->conn, peer_channel, AMQP_REPLY_SUCCESS);
  amqp_connection_close(p->conn, AMQP_REPLY_SUCCESS); /* waits for close-ok */
  amqp_destroy_connection(p->conn);
  free(p->assembled);
}

void peer_declare_topic(peer* p, const char* exchange, const char* queue) {
  amqp_exchange_declare(p->conn, peer_channel, amqp_cstring_bytes(exchange),
                        amqp_cstring_bytes("topic"), 0, 0, 0, 0, amqp_empty_table);
  check_reply(p, "exchange.declare");
  amqp_queue_declare(p->conn, peer_channel, amqp_cstring_bytes(queue), 0, 0, 0, 0,
                     amqp_empty_table);
  check_reply(p, "queue.declare");
  amqp_queue_bind(p->conn, peer_channel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                  amqp_cstring_bytes(queue), amqp_empty_table);
  check_reply(p, "queue.bind");
}

void peer_declare_fanout(peer* p, const char* exchange, const char* prefix, unsigned queues) {
  amqp_exchange_declare(p->conn, peer_channel, amqp_cstring_bytes(exchange),
                        amqp_cstring_bytes("fanout"), 0, 0, 0, 0, amqp_empty_table);
  check_reply(p, "exchange.declare");
  for (unsigned i = 0; i < queues; ++i) {
    char queue[96];
    snprintf(queue, sizeof queue, "%s%u", prefix, i);
    peer_declare_reply_queue(p, queue);
    amqp_queue_bind(p->conn, peer_channel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_empty_bytes, amqp_empty_table);
    check_reply(p, "queue.bind");
  }
}

void peer_delete_exchange(peer* p, const char* exchange) {
  amqp_exchange_delete(p->conn, peer_channel, amqp_cstring_bytes(exchange), 0);
  check_reply(p, "exchange.delete");
}

void peer_declare_reply_queue(peer* p, const char* queue) {
  amqp_queue_declare(p->conn, peer_channel, amqp_cstring_bytes(queue), 0, 0, 0, 0,
                     amqp_empty_table);
  check_reply(p, "queue.declare");
}

uint32_t peer_queue_depth(peer* p, const char* queue) {
  amqp_queue_declare_ok_t* ok = amqp_queue_declare(p->conn, peer_channel, amqp_cstring_bytes(queue),
                                                   1, 0, 0, 0, amqp_empty_table);
  check_reply(p, "queue.declare passive");
  return ok->message_count;
}

void peer_delete_queue(peer* p, const char* queue) {
  amqp_queue_delete(p->conn, peer_channel, amqp_cstring_bytes(queue), 0, 0);
  check_reply(p, "queue.delete");
}

void peer_consume(peer* p, const char* queue) {
  amqp_basic_consume(p->conn, peer_channel, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                     amqp_empty_table);
  check_reply(p, "basic.consume");
}

void peer_publish(peer* p, amqp_bytes_t exchange, amqp_bytes_t key, bool mandatory,
                  const amqp_basic_properties_t* properties, amqp_bytes_t body) {
  check(amqp_basic_publish(p->conn, peer_channel, exchange, key, mandatory, 0, properties, body),
        "basic.publish");
  if (++p->published - p->confirmed >= peer_most_outstanding)
    peer_die("the broker confirms nothing");
}

/* Single confirms may overtake: they wait in `early` until all below them are there. */
static void on_confirm(peer* p, const amqp_basic_ack_t* ack) {
  if (ack->delivery_tag > p->published) peer_die("a confirm for what was never published");
  if (ack->multiple) {
    while (p->confirmed < ack->delivery_tag) p->early[++p->confirmed % peer_most_outstanding] = 0;
  } else {
    p->early[ack->delivery_tag % peer_most_outstanding] = 1;
  }
  for (uint64_t next = p->confirmed + 1; p->early[next % peer_most_outstanding]; ++next) {
    p->early[next % peer_most_outstanding] = 0;
    p->confirmed = next;
  }
}

static bool complete(peer* p, peer_message* m) {
  m->tag = p->tag;
  m->properties = p->properties;
  m->body = p->body;
  p->tag = 0;
  return true;
}

static void on_body(peer* p, amqp_bytes_t part) {
  if (part.len > p->expected - p->received) peer_die("the broker sent more than it announced");
  if (part.len == p->expected) {
    p->body = part; /* one frame: used where it lies */
  } else {
    if (p->assembled_size < p->received + part.len) {
      p->assembled_size = 2 * (p->received + part.len);
      p->assembled = realloc(p->assembled, p->assembled_size);
      if (!p->assembled) peer_die("out of memory");
    }
    memcpy(p->assembled + p->received, part.bytes, part.len);
    p->body.bytes = p->assembled;
    p->body.len = p->received + part.len;
  }
  p->received += part.len;
}

/* Before a read that may block: send the folded ack, give memory back. */
static void before_read(peer* p) {
  if (amqp_data_in_buffer(p->conn) || amqp_frames_enqueued(p->conn)) return;
  if (p->unacked_tag != 0) {
    check(amqp_basic_ack(p->conn, peer_channel, p->unacked_tag, 1), "basic.ack");
    p->unacked_tag = 0;
  }
}

bool peer_readable(peer* p, double seconds) {
  if (amqp_data_in_buffer(p->conn) || amqp_frames_enqueued(p->conn)) return true;
  if (p->tag == 0) before_read(p);
  struct pollfd socket = {amqp_get_sockfd(p->conn), POLLIN, 0};
  struct timespec limit = {(time_t)seconds, (long)(1e9 * (seconds - floor(seconds)))};
  int ready = ppoll(&socket, 1, &limit, NULL);
  if (ready < 0 && errno != EINTR) peer_die("ppoll: %s", strerror(errno));
  return ready > 0;
}

bool peer_pump(peer* p, peer_message* m) {
  if (p->tag == 0) { /* between messages: no frame of one is still in use */
    before_read(p);
    amqp_maybe_release_buffers_on_channel(p->conn, peer_channel);
  }
  struct timeval limit = {peer_wait_seconds, 0};
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(p->conn, &frame, &limit);
  if (status == AMQP_STATUS_TIMEOUT)
    peer_die("nothing from the broker for %d s", peer_wait_seconds);
  check(status, "read");
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    p->properties = frame.payload.properties.decoded;
    p->expected = (size_t)frame.payload.properties.body_size;
    p->received = 0;
    p->body = amqp_empty_bytes;
    return p->expected == 0 ? complete(p, m) : false;
  }
  if (frame.frame_type == AMQP_FRAME_BODY) {
    on_body(p, frame.payload.body_fragment);
    return p->received == p->expected ? complete(p, m) : false;
  }
  if (frame.frame_type != AMQP_FRAME_METHOD) return false;
  switch (frame.payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD:
      p->tag = ((amqp_basic_deliver_t*)frame.payload.method.decoded)->delivery_tag;
      return false;
    case AMQP_BASIC_ACK_METHOD: on_confirm(p, frame.payload.method.decoded); return false;
    default: peer_die("unexpected %s from the broker", amqp_method_name(frame.payload.method.id));
  }
}

void peer_ack(peer* p, uint64_t tag) {
  if (p->acks == ack_folded)
    p->unacked_tag = tag;
  else
    check(amqp_basic_ack(p->conn, peer_channel, tag, 0), "basic.ack");
}

void peer_await_confirms(peer* p, uint64_t at_most_outstanding) {
  peer_message m;
  while (p->published - p->confirmed > at_most_outstanding)
    if (peer_pump(p, &m)) peer_die("a message where only confirms were due");
}

amqp_basic_properties_t peer_properties(void) {
  amqp_basic_properties_t props;
  memset(&props, 0, sizeof props);
  props._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                 AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG;
  props.content_type = amqp_cstring_bytes("application/json");
  props.content_encoding = amqp_cstring_bytes("utf-8");
  props.headers = amqp_empty_table;
  props.delivery_mode = 2;
  props.priority = 0;
  return props;
}

amqp_bytes_t peer_body(size_t size) {
  static const char head[] = "{\"oslo.version\": \"2.0\", \"oslo.message\": \"{\\\"args\\\": \\\"";
  static const char tail[] = "\\\"}\"}";
  size_t frame = sizeof head - 1 + sizeof tail - 1;
  if (size < frame) size = frame;
  amqp_bytes_t body = amqp_bytes_malloc(size);
  if (!body.bytes) peer_die("out of memory");
  char* text = body.bytes;
  memset(text, 'x', size);
  memcpy(text, head, sizeof head - 1);
  memcpy(text + size - (sizeof tail - 1), tail, sizeof tail - 1);
  return body;
}

/* Length at a fraction of the simulator's distribution: the same formula as oslo-msg bench. */
static double simulator_length(double fraction) {
  static const double at[] = {0, 0.5, 0.95, 1}, length[] = {806, 2450, 6576, 11292};
  int i = 1;
  while (fraction > at[i]) ++i;
  double part = (fraction - at[i - 1]) / (at[i] - at[i - 1]);
  return length[i - 1] * pow(length[i] / length[i - 1], part);
}

void peer_make_bodies(peer_bodies* b, const char* kind, size_t overhead) {
  memset(b, 0, sizeof *b);
  b->overhead = overhead;
  bool simulator = !strcmp(kind, "simulator");
  b->count = simulator ? peer_most_bodies : 1;
  size_t fixed = simulator ? 0 : peer_number(kind);
  for (size_t i = 0; i < b->count; ++i) {
    double at = ((double)(i * 389 % peer_most_bodies) + 0.5) / peer_most_bodies;
    b->body[i] = peer_body(overhead + (simulator ? (size_t)simulator_length(at) : fixed));
    if (b->body[i].len > b->longest) b->longest = b->body[i].len;
  }
}

void peer_free_bodies(peer_bodies* b) {
  for (size_t i = 0; i < b->count; ++i) amqp_bytes_free(b->body[i]);
}

long peer_peak_kib(pid_t process) {
  char path[64], line[256];
  long kib = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)(process ? process : getpid()));
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "VmHWM: %ld", &kib) == 1) break;
  fclose(file);
  return kib;
}

static int by_size(const void* a, const void* b) {
  float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

static double percentile_us(const float* sorted, size_t count, double fraction) {
  size_t at = (size_t)(fraction * (double)count);
  return 1e6 * (double)sorted[at < count ? at : count - 1];
}

void peer_print_latencies(float* seconds, size_t count) {
  static const double curve[] = {0.01, 0.05, 0.1,   0.25,  0.5,   0.75,   0.9,    0.95,
                                 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1};
  qsort(seconds, count, sizeof *seconds, by_size);
  printf(
      "\"latency_us\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p999\": %.2f, "
      "\"max\": %.2f, \"curve\": [",
      percentile_us(seconds, count, 0.5), percentile_us(seconds, count, 0.9),
      percentile_us(seconds, count, 0.99), percentile_us(seconds, count, 0.999),
      percentile_us(seconds, count, 1));
  for (size_t i = 0; i < sizeof curve / sizeof *curve; ++i)
    printf("%s[%g, %.2f]", i ? ", " : "", curve[i], percentile_us(seconds, count, curve[i]));
  printf("]}");
}

void peer_print_broker(pid_t broker, double us) {
  if (broker) printf(", \"broker\": %.2f", us);
}

unsigned long peer_number(const char* text) {
  char* end;
  errno = 0;
  unsigned long n = strtoul(text, &end, 10);
  if (errno || !*text || *end || *text == '-' || n > 100000000) peer_die("%s is no count", text);
  return n;
}

double peer_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double peer_cpu_seconds(pid_t process) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &t) != 0)
    peer_die("cannot read the CPU time of process %d", (int)process);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
