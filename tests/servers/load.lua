-- wrk: exactly COUNT requests, GET PREFIX/1 to PREFIX/COUNT, then the end.
--
-- A connection asks delay() before each request: one that gets the last
-- answer of those that are left has nothing more to send. So no request is cut
-- off half-way, as wrk itself would do when its time is up.
-- Needs one thread (-t1).

local count = tonumber(os.getenv("COUNT"))
local prefix = os.getenv("PREFIX")
local close = os.getenv("CLOSE") == "1"
local issued, answered, failed = 0, 0, 0
-- wrk asks for one request before it starts, to look at it; that is number 0.
local sent = -1
local never = 3600 * 1000

function delay()
  if issued == count then
    return never
  end
  issued = issued + 1
  return 0
end

function request()
  sent = sent + 1
  return wrk.format("GET", prefix .. "/" .. sent, close and { Connection = "close" } or nil)
end

function response(status)
  answered = answered + 1
  if status ~= 200 then
    failed = failed + 1
  end
  if answered == count then
    io.write(string.format("answered %d failed %d\n", answered, failed))
    io.flush()
    os.exit(0)
  end
end
