#include "drivers/rabbit/queue_namer.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <stdexcept>
#include <vector>

#include "support/lock_holder.hpp"
#include "support/log_lines.hpp"

namespace oslo::messaging::rabbit {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

const std::string random_name = "[0-9a-f]{32}";

class rabbit_queue_namer : public ::testing::Test {
 protected:
  rabbit_queue_namer() {
    std::string pattern = ::testing::TempDir() + "/namer-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder");
    folder = pattern;
    stable = {"h", "p", folder + "/counter", folder + "/lock"};
    next_name(stable);  // the files exist, and the next number is 2
  }
  ~rabbit_queue_namer() override { std::filesystem::remove_all(folder); }

  void ask(queue_namer& n) {
    n.name([this](std::string unique) { names.push_back(std::move(unique)); }, now);
  }

  std::string folder;
  stable_names stable;
  queue_namer::instant now{1h};
  std::vector<std::string> names;
  testing::log_lines log;
};

TEST_F(rabbit_queue_namer, gives_names_at_once) {
  queue_namer n(stable, log.into());
  ask(n);
  ask(n);
  EXPECT_THAT(names, ElementsAre("h:p:2", "h:p:3"));
  EXPECT_EQ(n.next_deadline(), queue_namer::instant::max());
}

TEST_F(rabbit_queue_namer, without_a_queue_manager_they_are_random) {
  queue_namer n(std::nullopt, log.into());
  ask(n);
  EXPECT_THAT(names, ElementsAre(MatchesRegex(random_name)));
  EXPECT_THAT(log.with(""), IsEmpty());
}

TEST_F(rabbit_queue_namer, a_count_that_cannot_be_kept_makes_a_random_name_and_a_warning) {
  stable.counter = folder + "/missing/counter";
  queue_namer n(stable, log.into());
  ask(n);
  EXPECT_THAT(names, ElementsAre(MatchesRegex(random_name)));
  EXPECT_EQ(log.with("use_queue_manager: a queue gets a random name, because this process cannot "
                     "open " +
                     stable.counter + ": No such file or directory.")
                .size(),
            1u);
}

TEST_F(rabbit_queue_namer, looks_again_for_a_lock_that_another_process_holds) {
  queue_namer n(stable, log.into());
  testing::lock_holder other(stable.lock);
  ask(n);
  ask(n);
  EXPECT_THAT(names, IsEmpty());
  EXPECT_EQ(n.next_deadline(), now + 10ms);
  now += 10ms;
  n.on_tick(now);
  EXPECT_THAT(names, IsEmpty());
  EXPECT_EQ(n.next_deadline(), now + 10ms);
  other.release();
  n.on_tick(now + 9ms);
  EXPECT_THAT(names, IsEmpty());
  n.on_tick(now + 10ms);
  EXPECT_THAT(names, ElementsAre("h:p:2", "h:p:3"));
  EXPECT_EQ(n.next_deadline(), queue_namer::instant::max());
}

TEST_F(rabbit_queue_namer, a_lock_that_is_not_given_back_is_waited_for_no_longer_than_a_second) {
  queue_namer n(stable, log.into());
  testing::lock_holder other(stable.lock);
  ask(n);
  now += 500ms;
  ask(n);
  now += 500ms;
  n.on_tick(now);
  EXPECT_THAT(names, ElementsAre(MatchesRegex(random_name)));
  now += 500ms;
  n.on_tick(now);
  EXPECT_THAT(names, ElementsAre(MatchesRegex(random_name), MatchesRegex(random_name)));
  EXPECT_EQ(log.with("cannot lock " + stable.lock + ": Connection timed out.").size(), 2u);
}

TEST_F(rabbit_queue_namer, who_waits_may_ask_again_from_inside) {
  queue_namer n(stable, log.into());
  testing::lock_holder other(stable.lock);
  n.name(
      [&](std::string unique) {
        names.push_back(std::move(unique));
        ask(n);
      },
      now);
  other.release();
  now += 10ms;
  n.on_tick(now);
  EXPECT_THAT(names, ElementsAre("h:p:2", "h:p:3"));
}

TEST_F(rabbit_queue_namer, nobody_waits_when_it_gives_up) {
  queue_namer n(stable, log.into());
  testing::lock_holder other(stable.lock);
  ask(n);
  n.give_up();
  EXPECT_THAT(names, ElementsAre(MatchesRegex(random_name)));
  EXPECT_EQ(n.next_deadline(), queue_namer::instant::max());
}

}  // namespace
}  // namespace oslo::messaging::rabbit
