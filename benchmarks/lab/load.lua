-- Sends requests at random from a file: blocks of METHOD, PATH and BODY lines, "-" for no body.
-- Headers come as wrk's own -H. At the end prints one line of JSON that begins with RESULT.

local prepared = {}

function init(arguments)
  local file = assert(io.open(arguments[1], "r"))
  while true do
    local method = file:read("*l")
    if not method then break end
    local path, body = file:read("*l"), file:read("*l")
    local headers = nil
    if body == "-" then body = nil end
    prepared[#prepared + 1] = wrk.format(method, path, nil, body)
  end
  file:close()
  math.randomseed(os.time())
end

function request()
  return prepared[math.random(#prepared)]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "bytes": %d, '
      .. '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d, '
      .. '"p50": %d, "p95": %d, "p99": %d, "max": %d}\n',
    summary.requests, summary.duration, summary.bytes,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
