-- wrk: one GET over and over, each time with another token. Its arguments: the path, a file with a token a line, and how
-- many of the first lines are other rounds'. Every thread has lines of its own; when they are used up, it begins again.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local path, tokens, turn = "/", {}, 0

function init(arguments)
  path = arguments[1]
  local skip, line = tonumber(arguments[3]), 0
  for token in io.lines(arguments[2]) do
    line = line + 1
    if line > skip and line % 2 == number % 2 then
      tokens[#tokens + 1] = "Bearer " .. token
    end
  end
end

function request()
  turn = turn % #tokens + 1
  return wrk.format("GET", path, { ["Authorization"] = tokens[turn] })
end

function done(summary, latency)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %d %d %f %f\n", summary.requests - errors.status, bad, summary.duration / 1e6,
    latency:percentile(99) / 1e3))
end
