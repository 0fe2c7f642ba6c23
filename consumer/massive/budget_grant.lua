-- Grants the next request of one API key its instant, or says how long to wait before asking again.
--
-- KEYS  1 pause (the instant, in microseconds, before which nothing may be sent)
--       2.. one list a window: the instants of its latest grants, newest first
-- ARGV  1 the longest wait that may be reserved, then limit and length of each window; times in microseconds
-- returns {granted 1|0, wait, instant, what it waits for: 0 nothing, 1 the pause, 2.. that window}
--
-- A window of limit L admits a request at max(now, L-th latest grant + length): at most L in any rolling length.
-- Only a short wait is reserved, so that a process that dies while it waits wastes nothing worth counting.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest = tonumber(ARGV[1])
local at, reason = now, 0
-- No pause of ours is longer: what says so, or is of another type or no number, was written by hand and counts for nothing.
local LONGEST_PAUSE = 3600 * 1000000

local function number(text) return type(text) == 'string' and tonumber(text) or 0 end

for index, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= (index == 1 and 'string' or 'list') then redis.call('DEL', key) end
end

local pause = number(redis.call('GET', KEYS[1]))
if pause > now + LONGEST_PAUSE then redis.call('DEL', KEYS[1]) elseif pause > at then at, reason = pause, 1 end

for index = 2, #KEYS do
  local limit, length = tonumber(ARGV[2 * index - 2]), tonumber(ARGV[2 * index - 1])
  local newest = number(redis.call('LINDEX', KEYS[index], 0))
  if newest > now + longest then
    -- The clock went back: how long ago these grants were is unknown, so the window counts as just used up.
    redis.call('DEL', KEYS[index])
    for _ = 1, limit do redis.call('LPUSH', KEYS[index], string.format('%.0f', now)) end
    redis.call('PEXPIRE', KEYS[index], math.ceil(length / 1000) + 1000)
    newest = now
  end
  -- Trimmed by age, not by limit: processes with different limits may share the list.
  local oldest = redis.call('LINDEX', KEYS[index], -1)
  while oldest and number(oldest) + length <= now do
    redis.call('RPOP', KEYS[index])
    oldest = redis.call('LINDEX', KEYS[index], -1)
  end
  local grant = number(redis.call('LINDEX', KEYS[index], limit - 1))
  local free = math.max(newest, grant > 0 and grant + length or 0)
  if free > at then at, reason = free, index end
end

local wait = at - now
if wait > longest then return {0, wait, at, reason} end
for index = 2, #KEYS do
  redis.call('LPUSH', KEYS[index], string.format('%.0f', at))
  redis.call('PEXPIRE', KEYS[index], math.ceil((wait + tonumber(ARGV[2 * index - 1])) / 1000) + 1000)
end
return {1, wait, at, reason}
