-- Holds back every request of one API key for a while; a longer pause already set stays.
--
-- KEYS  1 pause     ARGV  1 duration in microseconds
local time = redis.call('TIME')
local till = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
if till > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil(ARGV[1] / 1000))
end
return till
