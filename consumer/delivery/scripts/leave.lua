-- Hands back, uncounted, what this consumer still holds; removes it when that is nothing. ARGV: group, consumer, lease ms
-- -> how many entries were handed back. DELCONSUMER would destroy them: hence check and removal in one script.
local held = redis.call('XPENDING', KEYS[1], GROUP, '-', '+', 1000, ARGV[2])
for _, pending in ipairs(held) do
  -- What its settlement has handed back already is idle for ever, and keeps its count.
  if pending[3] < tonumber(ARGV[3]) then hand_back(pending[1], ARGV[2], tonumber(ARGV[3]), math.max(pending[4] - 1, 0)) end
end
if #held == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], GROUP, ARGV[2]) end
return #held
