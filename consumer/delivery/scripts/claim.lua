-- Takes over entries whose holder has let its lease run out, looking at a bounded number of them from a cursor on.
-- ARGV: group, consumer, lease ms, limit, cursor ('-' = from the first), how many to look at,
--       deliveries that make an entry a suspect (0 = never), whether to take a suspect
-- -> {{id, previous holder, deliveries} a claimed entry}, next cursor ('' = all was looked at), 0, or 1 when a suspect waits,
--    or 2 when the one taken is a suspect: then it is the only one.
-- An entry that has lost its consumers again and again may be what ended them: it is run alone, or the entries beside it
-- would be counted, and given up, for its sake.
-- XPENDING + XCLAIM rather than XAUTOCLAIM: the same on 6.2 and later, ghosts included. Without IDLE, which would search
-- through all that is pending while nothing is idle. What the entries say is not asked here: one of them may be so large
-- that to hand it to a script, on its way to nobody, stops the server for seconds.
local lease_ms, limit, looked_at = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local suspect_after, alone = tonumber(ARGV[7]), ARGV[8] == '1'
local HOLDERS_FIRST_MS, LEAST_SILENCE_MS = 1000, 2000

-- Consumers look several times a second. Where nobody was heard of for long, Redis was away or stood still, no lease could
-- be kept, and what has run out says nothing of its holders: they come first, with their beats and settlements.
local function holders_come_first()
  local text = redis.pcall('GET', KEYS[7])
  local last, free_at = (type(text) == 'string' and text or ''):match('^(%d+) (%d+)$')
  last, free_at = tonumber(last or now), math.min(tonumber(free_at or 0), now + HOLDERS_FIRST_MS)
  if now - last > math.max(lease_ms / 2, LEAST_SILENCE_MS) then free_at = now + HOLDERS_FIRST_MS end
  redis.call('SET', KEYS[7], string.format('%.0f %.0f', now, free_at))
  return now < free_at
end

if holders_come_first() then return {{}, '', 0} end

local rows = redis.call('XPENDING', KEYS[1], GROUP, ARGV[5], '+', looked_at)
local taken, suspects = {}, 0

local function take(id, holder, deliveries)
  local args = {'XCLAIM', KEYS[1], GROUP, ARGV[2], lease_ms, id, 'RETRYCOUNT', deliveries + 1, 'JUSTID'}
  if #redis.call(unpack(args)) == 0 then return false end
  taken[#taken + 1] = {id, holder, deliveries + 1}
  return true
end

for _, pending in ipairs(rows) do
  local id = pending[1]
  if pending[3] >= lease_ms then
    if suspect_after > 0 and pending[4] >= suspect_after then
      if alone and #taken == 0 and take(id, pending[2], pending[4]) then return {taken, '', 2} end
      suspects = 1
    elseif #taken == limit then
      return {taken, id, suspects}
    else
      take(id, pending[2], pending[4])
    end
  end
end
return {taken, #rows == looked_at and '(' .. rows[#rows][1] or '', suspects}
