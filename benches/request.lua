-- wrk: one kind of request over and over. Its arguments: token (or -), then the paths, taken in turn by GET;
-- a path that begins with "POST " starts an execution.
local turn = 0
local paths = {}

function init(arguments)
  local token = arguments[1]
  for i = 2, #arguments do
    paths[#paths + 1] = arguments[i]
  end
  if token ~= "-" then
    wrk.headers["Authorization"] = "Bearer " .. token
  end
end

function request()
  turn = turn % #paths + 1
  local posted = paths[turn]:match("^POST (.*)")
  if not posted then
    return wrk.format("GET", paths[turn])
  end
  wrk.headers["Content-Type"] = "application/json"
  return wrk.format("POST", posted, nil, '{"input":{"amount":120}}')
end

-- What scripts/measure.py reads: requests that got a 2xx or 3xx, all others, seconds.
function done(summary, latency)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %d %d %f %f\n", summary.requests - errors.status, bad, summary.duration / 1e6,
    latency:percentile(99) / 1e3))
end
