-- Says of trading days that their data are whole, once for each state, and keeps maintenance:executed:{day} as the ledger is.
--
-- KEYS  1 maintenance:told (day -> the state that was said)   2... maintenance:executed:{day} of each day
-- ARGV  1 the channel   2 how long an executed key stays, ms   3 the first day that is remembered; then of each day: day,
--       state ('' = not whole), message
-- returns the days that were said
--
-- One step, so that of any number of workers one says it; where Redis has lost what was said, it is said again.
for _, day in ipairs(redis.call('HKEYS', KEYS[1])) do
  if day < ARGV[3] then redis.call('HDEL', KEYS[1], day) end
end
local said = {}
for i = 2, #KEYS do
  local at = 4 + (i - 2) * 3
  local day, state, message = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if state == '' then
    redis.call('DEL', KEYS[i])
    redis.call('HDEL', KEYS[1], day)
  else
    local new = redis.call('HGET', KEYS[1], day) ~= state
    if new or redis.call('EXISTS', KEYS[i]) == 0 then redis.call('SET', KEYS[i], '1', 'PX', ARGV[2]) end
    if new then
      redis.call('HSET', KEYS[1], day, state)
      redis.call('PUBLISH', ARGV[1], message)
      said[#said + 1] = day
    end
  end
end
return said
