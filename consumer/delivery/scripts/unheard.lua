-- Makes claimable at once, for anybody, what this consumer holds and does not know of: the reply that named it was lost.
-- ARGV: group, consumer, lease ms, the entries that it knows of -> how many there were.
-- Uncounted: connections break many times a second, and nobody has looked at an entry. One whose own reply never arrives is
-- known to its reader, see `_bring`, and left to its lease: it has to become a suspect, or it would keep others from being read.
local known = {}
for index = 4, #ARGV do known[ARGV[index]] = true end
local unheard = 0
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], GROUP, '-', '+', 1000, ARGV[2])) do
  if not known[pending[1]] and pending[3] < tonumber(ARGV[3]) then
    hand_back(pending[1], ARGV[2], tonumber(ARGV[3]), math.max(pending[4] - 1, 0))
    unheard = unheard + 1
  end
end
return unheard
