-- What wrk sends and what it reports. Arguments, after wrk's own "--":
--
--   write BYTES PATH           POST one batch of BYTES, made of 100-byte messages, to PATH
--   sequenced BYTES PATH       the same with a producer, and a sequence that counts up
--   spread BYTES FILE          the same as write, to the paths of FILE, one a line, in turn
--   message BYTES PATH         POST one message of BYTES, its "\n" included, to PATH
--   read FILE                  GET the paths of FILE, one a line, in turn
--
-- The last line of the output is JSON. os.clock() is the processor time of wrk itself, all threads: where it comes
-- close to the duration, wrk is what limits the figure.

local function batch(bytes)
  local message = string.rep("m", 99) .. "\n"
  local text = string.rep(message, math.ceil(bytes / 100))
  return string.sub(text, 1, bytes - 1) .. "\n"
end

-- The requests for the paths of a file, one after the other, again and again.
local function inTurn(file, format)
  local requests, turn = {}, 0
  for path in io.lines(file) do requests[#requests + 1] = format(path) end
  return function()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

function init(args)
  if args[1] == "write" then
    wrk.method = "POST"
    wrk.body = batch(tonumber(args[2]))
    local only = wrk.format(nil, args[3])
    request = function() return only end
  elseif args[1] == "sequenced" then
    wrk.method = "POST"
    wrk.body = batch(tonumber(args[2]))
    -- Of this round alone: what an earlier one has sent would be known.
    local producer = "wrk-" .. os.time() .. string.gsub(tostring({}), "%W", "-")
    local path, sequence = args[3] .. "&producer=" .. producer .. "&sequence=", 0
    request = function()
      sequence = sequence + 1
      return wrk.format(nil, path .. sequence)
    end
  elseif args[1] == "message" then
    wrk.method = "POST"
    local bytes = tonumber(args[2])
    -- A single byte is one without its "\n", which the server adds.
    wrk.body = bytes == 1 and "m" or string.rep("m", bytes - 1) .. "\n"
    local only = wrk.format(nil, args[3])
    request = function() return only end
  elseif args[1] == "spread" then
    wrk.method = "POST"
    wrk.body = batch(tonumber(args[2]))
    request = inTurn(args[3], function(path) return wrk.format(nil, path) end)
  else
    request = inTurn(args[2], function(path) return wrk.format("GET", path) end)
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%.0f,"micros":%.0f,"failed":%d,"broken":%d,"p50Micros":%.0f,"p99Micros":%.0f,"wrkSeconds":%.3f}\n',
    summary.requests, summary.bytes, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), os.clock()
  ))
end
