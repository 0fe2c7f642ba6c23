-- Writes the market's phase and status for neighbours, and says once that the date has become another one.
--
-- KEYS  1 market:session:current   2 market:session:status   3 market:session:day (the date that was said last)
-- ARGV  1 the phase   2 the status   3 the date in New York   4 the day after   5 the channel   6 the message
-- returns 1 where the new date was said
--
-- The keys come before the message: who hears it reads them.
local told = redis.pcall('GET', KEYS[3])
told = type(told) == 'string' and string.match(told, '^%d%d%d%d%-%d%d%-%d%d$')
-- Another producer, whose clock is ahead of ours, has said it: ours is late, and takes nothing back.
if told == ARGV[4] then return 0 end

redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
if told == ARGV[3] then return 0 end
redis.call('SET', KEYS[3], ARGV[3])
-- Of what was never said, or by hand for days to come, nobody knows whether it is new.
if not told or told > ARGV[3] then return 0 end
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
