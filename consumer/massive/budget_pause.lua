-- Holds back every request of one API key for a while; a longer pause already set stays.
--
-- KEYS  1 pause     ARGV  1 duration in microseconds
local time = redis.call('TIME')
local till = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
local set = redis.pcall('GET', KEYS[1])
local before = type(set) == 'string' and tonumber(set) or 0
if till > before then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil(ARGV[1] / 1000))
end
return till
