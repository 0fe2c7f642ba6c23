-- Says once that a trading day begins. KEYS 1 maintenance:new_day (said last)   ARGV 1 the day   2 channel   3 message
-- returns 1 where it was said
local told = redis.pcall('GET', KEYS[1])
if told == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
