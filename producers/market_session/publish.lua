-- Publishes one transition if it is the next one, and remembers it, in one step.
--
-- KEYS  1 market:session (stream)   2 market:session:published (scheduled instant of the latest, unix ms)
-- ARGV  1 the transition's scheduled instant, unix ms   2 tolerated clock difference, ms   3 MAXLEN of the stream
--       4, 5 only for a lost state: id of the newest entry that was looked at ('' = none), and the instant it
--       stands for   6 how far ahead of now the state may be, ms   7, 8 a channel and what is said there of the
--       transition ('' = nothing); then the entry's fields: name, value, ...
-- returns the new entry's id, or KNOWN, EARLY, MOVED (look again)
--
-- Order of scheduled instants, not of arrival: whoever is late, woken up or repeats a lost reply finds KNOWN.
local scheduled = tonumber(ARGV[1])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A state that is no instant, or one of another day to come, was written by hand: it counts as lost.
local state = redis.pcall('GET', KEYS[2])
local published = type(state) == 'string' and string.match(state, '^%d+$') and tonumber(state)
if not published or published > now + tonumber(ARGV[6]) then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if (newest and newest[1] or '') ~= ARGV[4] then return 'MOVED' end
  published = tonumber(ARGV[5])
end
if scheduled <= published then return 'KNOWN' end

-- Redis' own clock: a producer whose clock runs ahead must not open the market before its time.
if scheduled > now + tonumber(ARGV[2]) then return 'EARLY' end

-- XADD first: Redis refuses a script for want of memory only before its first write.
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 9))
redis.call('SET', KEYS[2], ARGV[1])
if ARGV[7] ~= '' then redis.call('PUBLISH', ARGV[7], ARGV[8]) end
return id
